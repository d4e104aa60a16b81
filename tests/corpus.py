"""Where the manifest of the messy corpus is arguable, and what is right instead."""

# The manifest takes the first row of each file for its header, unless it is all numbers. In these
# the first row is data: an id, date or number of the same pattern as all cells below it, so the
# file has one row more than the manifest counts; the report says NO_HEADER_GUESS.
FIRST_ROW_IS_DATA = {
    "files/frictionless__without-headers.csv",
    "files/papaparse__long-sample.csv",
    "files/duckdb__auto__leading_space_numerics.csv",
    "files/duckdb__auto__quote_escape.csv",
    "files/duckdb__auto__rfc_conform.csv",
    "files/duckdb__auto__semicolon_delim.csv",
    "files/duckdb__auto__semicolon_escape.csv",
    "files/duckdb__auto__semicolon_quote.csv",
    "files/duckdb__auto__tab.csv",
    "files/duckdb__big_escape.csv",
    "files/duckdb__real__greek_utf8.csv",
    "files/duckdb__test__mixed_line_endings.csv",
    "files/duckdb__test__new_line_string.csv",
    "files/duckdb__test__new_line_string_rn_exc.csv",
    "files/duckdb__test__quoted_newline.csv",
    # accept_report: its code for the first row of data is DUPLICATE_COLUMN or BLANK_COLUMN
    "files/duckdb__auto__unnamed_columns.csv",
    "files/duckdb__real__lineitem_sample.csv",
    "files/duckdb__real__ncvoter.csv",
    "files/duckdb__real__web_page.csv",
    "files/duckdb__test__no_newline.csv",
    "files/duckdb__test__test_pipe.csv",
}
OTHER_RIGHT_ANSWERS = {
    # A first row of nothing but delimiters holds no names; what follows is data.
    "files/duckdb__auto__empty_header.csv": (2, 3),
    # One JSON object a line, read as that.
    "files/duckdb__test__5438.csv": (2, 1),
    # Rows without a user or item stay in the table and are left out of the ratings: MISSING_ID.
    "ratings/filter_nan_user_or_item.inter": (4, 3),
}
