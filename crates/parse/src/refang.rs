//! refang
