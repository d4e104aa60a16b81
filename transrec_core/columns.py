"""The column names that tables have inside transrec and in the files it writes."""

USER = "user_id"
ITEM = "item_id"
RATING = "rating"
TIME = "timestamp"

MAX_RATING = 1e9
"""Largest size of a rating. Counts of plays, views or seconds are below it; times since 1970 and
13-digit ids are above. Squares of such ratings, summed over all of them, are finite in single
precision."""

TITLE = "title"
GENRES = "genres"
DESCRIPTION = "description"

RANK = "rank"
SCORE = "score"
METHOD = "method"

SHOTS = "shots"
METRIC = "metric"
VALUE = "value"
