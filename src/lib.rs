//! aftercare
