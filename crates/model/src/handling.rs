//! What may be done with a thing: TLP 2.0, PAP, and whose jurisdiction it comes from.

use std::fmt;
use std::str::FromStr;

use crate::UnknownToken;
use crate::tokens::tokens;

tokens! {
    /// Traffic Light Protocol 2.0 (FIRST, August 2022); greater is stricter.
    Tlp, "tlp", {
        /// No limit on disclosure.
        Clear = "clear",
        /// Within the community.
        Green = "green",
        /// Within the recipient's organisation and its clients.
        Amber = "amber",
        /// Within the recipient's organisation.
        AmberStrict = "amber+strict",
        /// Named recipients only.
        Red = "red",
    }
}

impl Tlp {
    /// Reads a marking as people and feeds write it: any case, with or without `TLP:`; `white` is
    /// the name that TLP 1.0 had for `clear`.
    ///
    /// # Errors
    /// Where the text names no marking.
    pub fn read(text: &str) -> Result<Self, UnknownToken> {
        let lower = text.trim().to_ascii_lowercase();
        match lower.strip_prefix("tlp:").unwrap_or(&lower) {
            "white" => Ok(Self::Clear),
            "amber-strict" => Ok(Self::AmberStrict),
            name => name.parse(),
        }
    }
}

tokens! {
    /// Permissible Actions Protocol; greater is stricter.
    Pap, "pap", {
        /// No limit on use.
        Clear = "clear",
        /// Active actions allowed.
        Green = "green",
        /// Passive cross checks only.
        Amber = "amber",
        /// Not detectable by the adversary, own infrastructure only.
        Red = "red",
    }
}

/// An ISO 3166-1 alpha-2 code, or `EU` and `XK`, which are reserved for use like one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Jurisdiction([u8; 2]);

impl Jurisdiction {
    /// The two letters, upper case.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("")
    }
}

impl fmt::Display for Jurisdiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Jurisdiction {
    type Err = UnknownToken;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = CODES.as_bytes().chunks(3).any(|code| code.get(..2) == Some(text.as_bytes()));
        match (known, text.as_bytes()) {
            (true, &[a, b]) => Ok(Self([a, b])),
            _ => Err(UnknownToken {
                what: "jurisdiction",
                text: text.to_owned(),
                expected: "an ISO 3166-1 alpha-2 code in upper case, such as DE, JP or NL".into(),
            }),
        }
    }
}

/// ISO 3166-1 alpha-2 as of 2026, and the reserved `EU` and `XK`; each followed by a space.
const CODES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET EU FI FJ FK FM FO FR \
GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP \
KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ \
NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW \
SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ \
UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW ";
