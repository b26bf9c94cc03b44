//! ELF, as Linux has it. What the system's loader reads is read where it reads it: from the program headers.

use object::elf;
use object::read::elf::{Dyn, ElfFile64, FileHeader, ProgramHeader, SectionHeader, Sym};
use object::{Endianness, Object, StringTable};

use super::{Image, ROOT_PREFIX, check_range, malformed, truncated};
use crate::domain::finding::Finding;
use crate::domain::finding::kind;
use crate::modules::os::Machine;

type Header = elf::FileHeader64<Endianness>;
type Segment = elf::ProgramHeader64<Endianness>;

/// A file whose header was checked.
struct File<'a> {
    data: &'a [u8],
    header: &'a Header,
    endian: Endianness,
    segments: &'a [Segment],
}

/// Reads an ELF file of 64 bits.
pub(super) fn read(data: &[u8], machine: Machine) -> Result<Image<'_>, Finding> {
    let file = File::open(data, machine)?;
    file.check_segments()?;
    let mut image = Image {
        manifests: Vec::new(),
        roots: Vec::new(),
        needed: Vec::new(),
        run_paths: Vec::new(),
        executable_stack: file.executable_stack(),
        writable_code: file.writable_code(),
        build_id: ElfFile64::<Endianness>::parse(data)
            .ok()
            .and_then(|file| file.build_id().ok().flatten())
            .map(<[u8]>::to_vec),
    };
    file.read_dynamic(&mut image)?;
    file.read_sections(&mut image)?;
    Ok(image)
}

impl<'a> File<'a> {
    fn open(data: &'a [u8], machine: Machine) -> Result<Self, Finding> {
        if data.len() < size_of::<Header>() {
            return Err(truncated("the ELF header", size_of::<Header>() as u64, data.len()));
        }
        let header = Header::parse(data).map_err(malformed)?;
        let endian = header.endian().map_err(malformed)?;
        if endian != Endianness::Little {
            return Err(Finding::new(
                &kind::WRONG_CLASS,
                "found a big-endian library, expected a little-endian one",
            ));
        }
        let expected = match machine {
            Machine::X86_64 => elf::EM_X86_64,
            Machine::Aarch64 => elf::EM_AARCH64,
        };
        let found = header.e_machine(endian);
        if found != expected {
            return Err(Finding::new(
                &kind::WRONG_MACHINE,
                format!("found ELF machine {}, expected {}", found.0, expected.0),
            ));
        }
        let found = header.e_type(endian);
        if found != elf::ET_DYN {
            return Err(Finding::new(
                &kind::NOT_SHARED,
                format!("found ELF type {}, expected 3, a shared library", found.0),
            ));
        }
        let segments_len = u64::from(header.e_phnum(endian)) * u64::from(header.e_phentsize(endian));
        check_range("the table of segments", header.e_phoff(endian), segments_len, data)?;
        let sections_len = u64::from(header.e_shnum(endian)) * u64::from(header.e_shentsize(endian));
        check_range("the table of sections", header.e_shoff(endian), sections_len, data)?;
        let segments = header.program_headers(endian, data).map_err(malformed)?;
        Ok(Self {
            data,
            header,
            endian,
            segments,
        })
    }

    /// Everything the loader maps must be in the file: a page beyond its end is SIGBUS.
    fn check_segments(&self) -> Result<(), Finding> {
        let endian = self.endian;
        let mut loads = 0_usize;
        for (index, segment) in self.segments.iter().enumerate() {
            let (offset, size) = (segment.p_offset(endian), segment.p_filesz(endian));
            if segment.p_type(endian) == elf::PT_GNU_STACK {
                continue;
            }
            check_range(&format!("segment {index}"), offset, size, self.data)?;
            if segment.p_type(endian) != elf::PT_LOAD {
                continue;
            }
            loads += 1;
            let (address, memory, align) = (segment.p_vaddr(endian), segment.p_memsz(endian), segment.p_align(endian));
            if size > memory || address.checked_add(memory).is_none() {
                return Err(malformed(format!(
                    "segment {index} has {size} bytes in the file and {memory} in memory"
                )));
            }
            if align > 1 && (!align.is_power_of_two() || address % align != offset % align) {
                return Err(malformed(format!("segment {index} is not aligned to {align}")));
            }
        }
        if loads == 0 {
            Err(malformed("it has no segment to load"))
        } else {
            Ok(())
        }
    }

    fn executable_stack(&self) -> Option<&'static str> {
        let stack = self
            .segments
            .iter()
            .find(|segment| segment.p_type(self.endian) == elf::PT_GNU_STACK);
        match stack {
            None => Some("PT_GNU_STACK is missing"),
            Some(stack) if stack.p_flags(self.endian).contains(elf::PF_X) => Some("PT_GNU_STACK is executable"),
            Some(_) => None,
        }
    }

    fn writable_code(&self) -> Vec<usize> {
        let both = |segment: &Segment| {
            let flags = segment.p_flags(self.endian);
            segment.p_type(self.endian) == elf::PT_LOAD && flags.contains(elf::PF_W) && flags.contains(elf::PF_X)
        };
        self.segments
            .iter()
            .enumerate()
            .filter(|(_, segment)| both(segment))
            .map(|(index, _)| index)
            .collect()
    }

    /// What the loader would pull in, and from where.
    fn read_dynamic(&self, image: &mut Image<'_>) -> Result<(), Finding> {
        let endian = self.endian;
        let mut entries = None;
        for segment in self.segments {
            entries = segment.dynamic(endian, self.data).map_err(malformed)?.or(entries);
        }
        let entries = entries.ok_or_else(|| malformed("it has no dynamic segment"))?;
        let entries = entries.iter().take_while(|entry| entry.d_tag(endian) != elf::DT_NULL);
        let value = |tag| {
            entries
                .clone()
                .find(|entry| entry.d_tag(endian) == tag)
                .map(|entry| entry.d_val(endian))
        };
        if value(elf::DT_FLAGS_1).is_some_and(|flags| flags & u64::from(elf::DF_1_PIE.0) != 0) {
            return Err(Finding::new(
                &kind::NOT_SHARED,
                "found a position-independent program, expected a shared library",
            ));
        }
        let strings = self.strings(value(elf::DT_STRTAB), value(elf::DT_STRSZ))?;
        for entry in entries.clone() {
            let tag = entry.d_tag(endian);
            let name = || {
                let offset = u32::try_from(entry.d_val(endian)).map_err(malformed)?;
                let bytes = strings
                    .get(offset)
                    .map_err(|()| malformed(format!("dynamic entry {} names no string", tag.0)))?;
                Ok(String::from_utf8_lossy(bytes).into_owned())
            };
            match tag {
                elf::DT_NEEDED | elf::DT_AUXILIARY | elf::DT_FILTER => image.needed.push(name()?),
                elf::DT_RPATH => image.run_paths.push(("RPATH", name()?)),
                elf::DT_RUNPATH => image.run_paths.push(("RUNPATH", name()?)),
                elf::DT_AUDIT | elf::DT_DEPAUDIT => image.run_paths.push(("AUDIT", name()?)),
                _ => {}
            }
        }
        Ok(())
    }

    /// The dynamic string table, found by address as the loader finds it.
    fn strings(&self, address: Option<u64>, size: Option<u64>) -> Result<StringTable<'a>, Finding> {
        let (Some(address), Some(size)) = (address, size) else {
            return Err(malformed("it has no dynamic string table"));
        };
        let endian = self.endian;
        let place = self
            .segments
            .iter()
            .filter(|segment| segment.p_type(endian) == elf::PT_LOAD)
            .find_map(|segment| {
                let inside = address
                    .checked_sub(segment.p_vaddr(endian))
                    .filter(|at| *at < segment.p_filesz(endian))?;
                segment.p_offset(endian).checked_add(inside)
            });
        let start = place.ok_or_else(|| malformed("the dynamic string table is in no segment"))?;
        check_range("the dynamic string table", start, size, self.data)?;
        Ok(StringTable::new(self.data, start, start.saturating_add(size)))
    }

    fn read_sections(&self, image: &mut Image<'a>) -> Result<(), Finding> {
        let endian = self.endian;
        let sections = self.header.sections(endian, self.data).map_err(malformed)?;
        for section in sections.iter() {
            let name = sections.section_name(endian, section).map_err(malformed)?;
            if section.sh_type(endian) != elf::SHT_NOBITS {
                let part = format!("section {}", String::from_utf8_lossy(name));
                check_range(&part, section.sh_offset(endian), section.sh_size(endian), self.data)?;
            }
            if name == wharf_manifest::SECTION_ELF.as_bytes() {
                image.manifests.push(section.data(endian, self.data).map_err(malformed)?);
            }
        }
        let symbols = sections.symbols(endian, self.data, elf::SHT_DYNSYM).map_err(malformed)?;
        for symbol in symbols.iter() {
            let exported = !symbol.is_undefined(endian) && symbol.st_bind() != elf::STB_LOCAL && symbol.st_visibility() == elf::STV_DEFAULT;
            let name = symbol.name(endian, symbols.strings()).map_err(malformed)?;
            if exported && name.starts_with(ROOT_PREFIX.as_bytes()) {
                image.roots.push(String::from_utf8_lossy(name).into_owned());
            }
        }
        Ok(())
    }
}
