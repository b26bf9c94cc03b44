//! Whatever happens to the bytes of a library, reading them ends with an answer.

use wharf_host::modules::inspect::{InspectRules, inspect};

use super::fixture::good;
use super::macho::{Dylib, rules};

/// The same numbers on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % limit
    }
}

fn damage(whole: &[u8], rules: &InspectRules) {
    for end in 0..whole.len() {
        assert!(inspect(&whole[..end], rules).is_err(), "{end} of {} bytes", whole.len());
    }
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..20_000 {
        let mut bytes = whole.to_vec();
        for _ in 0..=random.below(4) {
            // Headers and tables at both ends are what is worth hitting.
            let reach = if random.below(2) == 0 { bytes.len() } else { 1024.min(bytes.len()) };
            let at = random.below(reach);
            let at = if random.below(3) == 0 { bytes.len() - 1 - at } else { at };
            bytes[at] = match random.below(3) {
                0 => bytes[at] ^ (1 << random.below(8)),
                1 => 0xff,
                _ => u8::try_from(random.below(256)).unwrap(),
            };
        }
        let _ = inspect(&bytes, rules);
    }
}

#[test]
fn no_truncation_or_flipped_byte_of_an_elf_library_makes_inspecting_panic() {
    damage(&good(), &InspectRules::default());
}

#[test]
fn no_truncation_or_flipped_byte_of_a_mach_o_library_makes_inspecting_panic() {
    damage(&Dylib::good().build(), &rules());
}
