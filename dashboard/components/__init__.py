"""Parts of pages: ``show`` what they are given, own their keys, compute nothing."""
