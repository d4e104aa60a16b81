"""The column names that tables have inside transrec and in the files it writes."""

USER = "user_id"
ITEM = "item_id"
RATING = "rating"
TIME = "timestamp"

TITLE = "title"
GENRES = "genres"
DESCRIPTION = "description"

RANK = "rank"
SCORE = "score"
METHOD = "method"

SHOTS = "shots"
METRIC = "metric"
VALUE = "value"
