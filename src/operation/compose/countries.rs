//! The names of the regions that have telephone numbers of their own.

/// Code and name, one region a line (ISO 3166-1, with the few codes that telephony adds).
const NAMES: &str = include_str!("countries.txt");

/// The name of a region, by its two letters.
pub(super) fn name(code: &str) -> Option<&'static str> {
    NAMES.lines().filter_map(|line| line.split_once(' ')).find(|(known, _)| *known == code).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_that_a_number_can_be_of_has_a_name() {
        let regions = rlibphonenumber::PHONE_NUMBER_UTIL.get_supported_regions();
        assert!(regions.len() > 200);
        for region in regions {
            assert!(name(&region.to_string()).is_some(), "{region}");
        }
        assert_eq!(name("CI"), Some("Côte d’Ivoire"));
        assert_eq!(name(""), None);
    }
}
