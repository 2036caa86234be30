//! What the proofs under load share: a database that is full from the start, the real servers over it, and figures.

pub mod figures;
pub mod house;
pub mod returner;
pub mod room;
pub mod speaker;

pub mod town;

pub use figures::Figures;
pub use house::House;
pub use town::Town;
