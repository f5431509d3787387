//! The class of an event: which kind of activity a record tells of.

use crate::tokens::tokens;

tokens! {
    /// Class of an event, after the categories of OCSF 1.8.
    Class, "class", {
        /// Connections and flows.
        Network = "network",
        /// Name look-ups.
        Dns = "dns",
        /// Web requests.
        Http = "http",
        /// TLS handshakes and certificates.
        Tls = "tls",
        /// Files transferred or changed.
        File = "file",
        /// Processes started, modules loaded.
        Process = "process",
        /// Log-ins and other authentication.
        Auth = "auth",
        /// Mail.
        Email = "email",
        /// Calls of cloud control planes.
        Cloud = "cloud",
        /// All else.
        Other = "other",
    }
}
