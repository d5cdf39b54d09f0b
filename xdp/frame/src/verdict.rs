//! What may be said of a frame: three verdicts, and the reasons with their stable numbers.

/// What the gateway is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Verdict {
    /// Nothing was found; the full message must still be screened.
    PreScreened = 1,
    /// The payment must not go out; this binds the full message too.
    Block = 2,
    /// The frame was not judged. It permits nothing.
    Refused = 3,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal, $verdict:ident;)*) => {
        /// Why. The numbers are on the wire, in counters and in the log, and never change their meaning.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        #[repr(u8)]
        pub enum Reason {
            $($(#[$doc])* $name = $number,)*
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The reason of this number.
            pub const fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// Its name in counters, commands and the log.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// The verdict that it leads to.
            #[inline(always)]
            pub const fn verdict(self) -> Verdict {
                match self {
                    $(Self::$name => Verdict::$verdict,)*
                }
            }
        }
    };
}

reasons! {
    /// Every check was passed.
    NothingFound = 0, "nothing-found", PreScreened;
    /// The debtor's account is on the block list.
    DebtorListed = 1, "debtor-listed", Block;
    /// The creditor's account is on the block list.
    CreditorListed = 2, "creditor-listed", Block;
    /// The amount is above the currency's limit for one payment.
    AmountLimit = 3, "amount-limit", Block;
    /// The debtor made more payments in this window than are allowed.
    CountLimit = 4, "count-limit", Block;
    /// The debtor's payments in this window add up to more than is allowed.
    SumLimit = 5, "sum-limit", Block;
    /// The sender's address may not send frames.
    NotAllowed = 16, "not-allowed", Refused;
    /// The sender's address sends more than it may.
    TooFast = 17, "too-fast", Refused;
    /// The datagram is not one to eleven whole frames.
    Length = 18, "length", Refused;
    /// The bytes are no canonical frame.
    Malformed = 19, "malformed", Refused;
    /// There is no key of this id.
    UnknownKey = 20, "unknown-key", Refused;
    /// The tag is not that of the bytes under the key.
    BadTag = 21, "bad-tag", Refused;
    /// The frame's time is too far from the node's clock.
    Stale = 22, "stale", Refused;
    /// The key's sequence number was used before, or is too old to tell.
    Replayed = 23, "replayed", Refused;
}

impl Verdict {
    /// The verdict of this number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::PreScreened),
            2 => Some(Self::Block),
            3 => Some(Self::Refused),
            _ => None,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PreScreened => "PRE-SCREENED",
            Self::Block => "BLOCK",
            Self::Refused => "REFUSED",
        }
    }
}

impl Reason {
    /// Whether the gateway gets an answer. What is not authentic gets none: it would only tell a stranger that
    /// somebody listens, or send it to a third party.
    #[inline(always)]
    pub const fn is_answered(self) -> bool {
        match self.verdict() {
            Verdict::PreScreened | Verdict::Block => true,
            Verdict::Refused => matches!(self, Self::Stale | Self::Replayed),
        }
    }
}
