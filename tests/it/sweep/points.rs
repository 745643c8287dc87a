//! The messages at which something happens.

use crate::support::seeded::Seeded;
use crate::support::torture;

/// Messages beyond the ones that were counted: another run may need a few more.
const MARGIN: usize = 4;

/// All messages of a run that had so many, or, in the slice that belongs to `make test`, a few by the seed.
pub(super) struct Points {
    pub(super) chosen: Vec<usize>,
    pub(super) random: Seeded,
}

impl Points {
    pub(super) fn of(count: usize, few: usize) -> Self {
        assert!(count > 0, "a run without a message tests nothing");
        let mut random = Seeded(torture::seed());
        let last = count + MARGIN;
        let chosen = if torture::is_full() {
            (1..=last).collect()
        } else {
            // One from each stretch, so that no part of the run is always left out.
            let stretch = |number: usize| (count * number / few + 1)..=(count * (number + 1) / few);
            let pick = |range: std::ops::RangeInclusive<usize>, random: &mut Seeded| {
                let length = (range.end() + 1).saturating_sub(*range.start()).max(1);
                range.start() + usize::try_from(random.below(length as u64)).expect("a small number")
            };
            (0..few).map(|number| pick(stretch(number), &mut random)).collect()
        };
        Self { chosen, random }
    }
}
