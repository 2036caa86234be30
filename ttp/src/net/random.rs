//! Randomness of the operating system, for keys and waits.

/// Fills `bytes` with chance.
///
/// # Errors
/// The operating system has none.
pub fn fill(bytes: &mut [u8]) -> Result<(), getrandom::Error> {
    #[cfg(feature = "simulation")]
    if let Some(world) = super::simulation::world() {
        bytes.fill_with(|| world.random() as u8);
        return Ok(());
    }
    getrandom::fill(bytes)
}
