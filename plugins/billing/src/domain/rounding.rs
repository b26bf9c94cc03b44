//! The one place where money is rounded.
//!
//! Two rules, and no others. A *share* of an amount (a tax, a price for some units or days) is rounded half to even, so that many
//! roundings do not lean to one side. An amount that is *split* into parts gives its indivisible rest to the parts with the largest
//! remainders, so that the parts always sum to the whole.

/// `numerator / denominator`, half to even. None when the denominator is not positive.
pub(crate) fn half_even(numerator: i128, denominator: i128) -> Option<i128> {
    if denominator <= 0 {
        return None;
    }
    let (quotient, rest) = (numerator.div_euclid(denominator), numerator.rem_euclid(denominator));
    let twice = rest.checked_mul(2)?;
    let up = twice > denominator || (twice == denominator && quotient.rem_euclid(2) == 1);
    Some(quotient + i128::from(up))
}

/// Splits a whole by weights: each part is its share rounded down, and what is left goes, one by one, to the parts with the largest
/// remainders, the first of equal ones first. None when there is no weight above zero.
pub(crate) fn largest_remainder(whole: i64, weights: &[u64]) -> Option<Vec<i64>> {
    let sum: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
    if sum == 0 {
        return None;
    }
    let shares = weights.iter().map(|weight| i128::from(whole) * i128::from(*weight));
    let mut parts: Vec<(i128, i128)> = shares.map(|share| (share.div_euclid(sum), share.rem_euclid(sum))).collect();
    let given: i128 = parts.iter().map(|(part, _)| part).sum();
    let left = usize::try_from(i128::from(whole) - given).ok()?;
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(parts.get(*index).map(|(_, rest)| *rest)));
    for index in order.into_iter().take(left) {
        if let Some((part, _)) = parts.get_mut(index) {
            *part += 1;
        }
    }
    parts.into_iter().map(|(part, _)| i64::try_from(part).ok()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_half_goes_to_the_even_neighbour_on_both_sides_of_zero() {
        let cases = [
            (5, 0),
            (15, 2),
            (25, 2),
            (35, 4),
            (-5, 0),
            (-15, -2),
            (-25, -2),
            (4, 0),
            (6, 1),
            (14, 1),
            (16, 2),
            (-16, -2),
        ];
        for (tenths, whole) in cases {
            assert_eq!(half_even(tenths, 10), Some(whole), "{tenths}");
        }
        assert_eq!((half_even(1, 0), half_even(1, -3)), (None, None));
    }

    #[test]
    fn what_cannot_be_divided_goes_to_the_largest_remainders() {
        assert_eq!(largest_remainder(100, &[1, 1, 1]).unwrap(), [34, 33, 33]);
        assert_eq!(largest_remainder(10, &[1, 5, 4]).unwrap(), [1, 5, 4]);
        assert_eq!(largest_remainder(7, &[3, 3, 4]).unwrap(), [2, 2, 3]);
        assert_eq!(largest_remainder(5, &[0, 1]).unwrap(), [0, 5]);
        assert_eq!(largest_remainder(-100, &[1, 1, 1]).unwrap().iter().sum::<i64>(), -100);
        assert_eq!(largest_remainder(5, &[0, 0]), None);
        assert_eq!(largest_remainder(5, &[]), None);
    }
}
