//! Cron schedules: five fields, checked before anything is scheduled.

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// What a field may hold.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    names: &'static [&'static str],
}

/// The fields in order, as in crontab(5).
const FIELDS: [Field; 5] = [
    Field {
        name: "minute",
        least: 0,
        most: 59,
        names: &[],
    },
    Field {
        name: "hour",
        least: 0,
        most: 23,
        names: &[],
    },
    Field {
        name: "day of month",
        least: 1,
        most: 31,
        names: &[],
    },
    Field {
        name: "month",
        least: 1,
        most: 12,
        names: &MONTHS,
    },
    Field {
        name: "day of week",
        least: 0,
        most: 7,
        names: &DAYS,
    },
];

/// What is wrong with a schedule, if anything is.
pub(crate) fn fault(schedule: &str) -> Option<String> {
    let parts: Vec<&str> = schedule.split_whitespace().collect();
    if parts.len() != FIELDS.len() {
        return Some(format!(
            "it has {} fields, expected 5: minute, hour, day of month, month, day of week",
            parts.len()
        ));
    }
    FIELDS
        .iter()
        .zip(parts)
        .find_map(|(field, part)| part.split(',').find_map(|item| item_fault(field, item)))
}

/// One item of a list: `*`, `*/n`, `a`, `a-b` or `a-b/n`.
fn item_fault(field: &Field, item: &str) -> Option<String> {
    let (range, step) = item.split_once('/').map_or((item, None), |(range, step)| (range, Some(step)));
    if step.is_some_and(|step| !step.parse::<u32>().is_ok_and(|n| n >= 1 && n <= field.most)) {
        return Some(format!(
            "the {} field has the step {item:?}, expected 1 to {}",
            field.name, field.most
        ));
    }
    if range == "*" {
        return None;
    }
    let (from, to) = range.split_once('-').map_or((range, None), |(from, to)| (from, Some(to)));
    let (from, to) = (value(field, from), to.map(|to| value(field, to)));
    let fits = match (from, to) {
        (Some(_), None) => step.is_none(),
        (Some(from), Some(Some(to))) => from <= to,
        _ => false,
    };
    (!fits).then(|| {
        format!(
            "the {} field has {item:?}, expected *, a value or a range from {} to {}",
            field.name, field.least, field.most
        )
    })
}

fn value(field: &Field, text: &str) -> Option<u32> {
    if let Some(at) = field.names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
        return u32::try_from(at).ok().map(|at| at + field.least);
    }
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|n| digits && (field.least..=field.most).contains(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_fields_in_their_ranges_are_a_schedule() {
        for good in ["0 3 * * *", "*/5 * * * *", "0,30 8-18/2 1 jan-MAR mon-fri", "59 23 31 12 7"] {
            assert_eq!(fault(good), None, "{good}");
        }
        for (bad, word) in [
            ("", "0 fields"),
            ("0 3 * *", "4 fields"),
            ("0 0 3 * * *", "6 fields"),
            ("60 * * * *", "minute"),
            ("* 24 * * *", "hour"),
            ("* * 0 * *", "day of month"),
            ("* * * foo *", "month"),
            ("* * * * 8", "day of week"),
            ("*/0 * * * *", "step"),
            ("30-10 * * * *", "minute"),
            ("5/10 * * * *", "minute"),
            ("+5 * * * *", "minute"),
            (", * * * *", "minute"),
        ] {
            let fault = fault(bad).unwrap_or_default();
            assert!(fault.contains(word), "{bad}: {fault}");
        }
    }
}
