//! Whether a user has a group of their own, as passwd(5) and group(5) tell it.

/// The group of which a user is the only member, if there is one. Root has none: what root owns is written with care.
pub(super) fn private_group(user: u32) -> Option<u32> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    private_group_in(user, &read("/etc/passwd"), &read("/etc/group"))
}

fn private_group_in(user: u32, passwd: &str, groups: &str) -> Option<u32> {
    let users: Vec<(&str, u32, u32)> = passwd.lines().filter_map(user_line).collect();
    let (name, _, group) = *users.iter().find(|(_, id, _)| *id == user && user != 0)?;
    let shared = users.iter().any(|(_, id, primary)| *primary == group && *id != user);
    let members = groups
        .lines()
        .filter_map(group_line)
        .find(|(id, _)| *id == group)
        .map(|(_, members)| members)?;
    let alone = members.split(',').all(|member| member.is_empty() || member == name);
    (alone && !shared).then_some(group)
}

/// `name:x:uid:gid:...`
fn user_line(line: &str) -> Option<(&str, u32, u32)> {
    let mut fields = line.split(':');
    let (name, _, user, group) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    Some((name, user.parse().ok()?, group.parse().ok()?))
}

/// `name:x:gid:member,member`
fn group_line(line: &str) -> Option<(u32, &str)> {
    let mut fields = line.split(':');
    let (_, _, group, members) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    Some((group.parse().ok()?, members))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_private_when_nobody_else_is_in_it() {
        let passwd = "root:x:0:0::/nowhere:/bin/sh\nann:x:1000:1000::/nowhere:/bin/sh\nbob:x:1001:100::/nowhere:/bin/sh\n";
        let groups = "root:x:0:\nann:x:1000:\nusers:x:100:bob\n";
        assert_eq!(private_group_in(1000, passwd, groups), Some(1000));
        assert_eq!(
            private_group_in(1000, passwd, &groups.replace("ann:x:1000:", "ann:x:1000:ann")),
            Some(1000)
        );
        assert_eq!(private_group_in(1001, passwd, groups), Some(100));
        for (user, passwd, groups) in [
            (0, passwd.to_owned(), groups.to_owned()),
            (7, passwd.to_owned(), groups.to_owned()),
            (1000, passwd.to_owned(), groups.replace("ann:x:1000:", "ann:x:1000:bob")),
            (1000, passwd.to_owned(), groups.replace("ann:x:1000:", "ann:x:1000:ann,bob")),
            (1000, passwd.replace("1001:100", "1001:1000"), groups.to_owned()),
            (1000, passwd.to_owned(), String::new()),
        ] {
            assert_eq!(private_group_in(user, &passwd, &groups), None, "{user}\n{passwd}{groups}");
        }
    }
}
