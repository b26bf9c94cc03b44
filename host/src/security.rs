//! Who is calling, may they, how often.
