//! Mach-O libraries, written by hand and inspected on any system.

use wharf_host::modules::inspect::{InspectRules, inspect};
use wharf_host::modules::os::{Format, Machine, Target};
use wharf_manifest::encode_section;

use super::fixture::{codes, manifest};

/// What goes into a dylib for 64-bit ARM.
#[derive(Clone)]
pub(crate) struct Dylib {
    pub(crate) cpu: u32,
    pub(crate) file_type: u32,
    pub(crate) flags: u32,
    pub(crate) protection: u32,
    pub(crate) section_name: &'static str,
    pub(crate) section: Vec<u8>,
    pub(crate) symbol: String,
    pub(crate) needed: Vec<&'static str>,
    pub(crate) run_path: Option<&'static str>,
}

impl Dylib {
    pub(crate) fn good() -> Self {
        let manifest = manifest("good", "1.2.3");
        Self {
            cpu: 0x0100_000c,
            file_type: 6,
            flags: 0x85,
            protection: 3,
            section_name: "__wharf",
            section: encode_section(&manifest, &[]).unwrap(),
            symbol: format!("_{}", manifest.root_symbol()),
            needed: vec!["/usr/lib/libSystem.B.dylib"],
            run_path: None,
        }
    }

    /// `mach_header_64`, `LC_SEGMENT_64` with one section, `LC_SYMTAB`, `LC_UUID`, the libraries, then the content.
    pub(crate) fn build(&self) -> Vec<u8> {
        let mut commands = vec![self.segment(0), symtab(0, 0, 0), uuid()];
        commands.extend(self.needed.iter().map(|name| text_command(0xc, &[2, 0x1_0000, 0x1_0000], name)));
        commands.extend(self.run_path.map(|path| text_command(0x8000_001c, &[], path)));
        let size: usize = commands.iter().map(Vec::len).sum();
        let content = u32::try_from(32 + size).unwrap();
        let symbols = content + u32::try_from(self.section.len()).unwrap();
        let names = format!("\0{}\0", self.symbol);
        commands[0] = self.segment(content);
        commands[1] = symtab(symbols, symbols + 16, u32::try_from(names.len()).unwrap());

        let count = u32::try_from(commands.len()).unwrap();
        let mut file = words(&[
            0xfeed_facf,
            self.cpu,
            0,
            self.file_type,
            count,
            u32::try_from(size).unwrap(),
            self.flags,
            0,
        ]);
        file.extend(commands.concat());
        file.extend_from_slice(&self.section);
        // nlist_64: name at 1, defined in section 1 and external.
        file.extend(words(&[1]));
        file.extend([0x0f, 1, 0, 0]);
        file.extend(0_u64.to_le_bytes());
        file.extend(names.as_bytes());
        file
    }

    fn segment(&self, offset: u32) -> Vec<u8> {
        let size = self.section.len() as u64;
        let mut command = words(&[0x19, 72 + 80]);
        command.extend(name16("__DATA"));
        for value in [0, size, u64::from(offset), size] {
            command.extend(value.to_le_bytes());
        }
        command.extend(words(&[self.protection, self.protection, 1, 0]));
        command.extend(name16(self.section_name));
        command.extend(name16("__DATA"));
        command.extend(0_u64.to_le_bytes());
        command.extend(size.to_le_bytes());
        command.extend(words(&[offset, 0, 0, 0, 0, 0, 0, 0]));
        command
    }
}

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn name16(name: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    bytes
}

fn symtab(symbols: u32, names: u32, names_size: u32) -> Vec<u8> {
    words(&[0x2, 24, symbols, 1, names, names_size])
}

fn uuid() -> Vec<u8> {
    let mut command = words(&[0x1b, 24]);
    command.extend([7; 16]);
    command
}

/// A command that ends with a string, padded to 8 bytes.
fn text_command(command: u32, more: &[u32], text: &str) -> Vec<u8> {
    let head = 12 + 4 * more.len();
    let size = (head + text.len() + 1).next_multiple_of(8);
    let mut bytes = words(&[command, u32::try_from(size).unwrap(), u32::try_from(head).unwrap()]);
    bytes.extend(words(more));
    bytes.extend(text.as_bytes());
    bytes.resize(size, 0);
    bytes
}

pub(crate) fn rules() -> InspectRules {
    InspectRules {
        target: Target {
            format: Format::MachO,
            machine: Machine::Aarch64,
        },
        allow_libraries: Vec::new(),
    }
}

#[test]
fn a_dylib_is_inspected_on_any_system() {
    let inspected = inspect(&Dylib::good().build(), &rules()).unwrap();
    assert_eq!(inspected.manifest, manifest("good", "1.2.3"));
    assert_eq!(inspected.build_id, Some(vec![7; 16]));
    assert_eq!(inspected.needed, ["/usr/lib/libSystem.B.dylib"]);
}

#[test]
fn what_is_wrong_with_a_dylib_has_the_same_codes() {
    let good = Dylib::good();
    let whole = good.build();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("inspect.truncated", whole[..28].to_vec()),
        ("inspect.truncated", whole[..60].to_vec()),
        ("inspect.truncated", whole[..whole.len() - 1].to_vec()),
        (
            "inspect.wrong-machine",
            Dylib {
                cpu: 0x0100_0007,
                ..good.clone()
            }
            .build(),
        ),
        (
            "inspect.not-shared",
            Dylib {
                file_type: 2,
                ..good.clone()
            }
            .build(),
        ),
        (
            "inspect.no-manifest",
            Dylib {
                section_name: "__other",
                ..good.clone()
            }
            .build(),
        ),
        (
            "inspect.two-manifests",
            Dylib {
                section: [good.section.clone(), good.section.clone()].concat(),
                ..good.clone()
            }
            .build(),
        ),
        (
            "inspect.root-symbol",
            Dylib {
                symbol: "_other".into(),
                ..good.clone()
            }
            .build(),
        ),
        (
            "inspect.needed-library",
            Dylib {
                needed: vec!["/usr/local/lib/libevil.dylib"],
                ..good.clone()
            }
            .build(),
        ),
        (
            "inspect.run-path",
            Dylib {
                run_path: Some("@loader_path"),
                ..good.clone()
            }
            .build(),
        ),
        (
            "inspect.executable-stack",
            Dylib {
                flags: 0x2_0085,
                ..good.clone()
            }
            .build(),
        ),
        (
            "inspect.writable-code",
            Dylib {
                protection: 7,
                ..good.clone()
            }
            .build(),
        ),
    ];
    for (index, (code, bytes)) in cases.iter().enumerate() {
        let findings = inspect(bytes, &rules()).expect_err(code);
        assert_eq!(codes(&findings), [*code], "case {index}: {findings:?}");
    }
}
