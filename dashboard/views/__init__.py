"""One file a page, run by the navigation: guard, inputs, compute, show."""
