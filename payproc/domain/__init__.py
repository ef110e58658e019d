"""Values and rules that know no row."""
