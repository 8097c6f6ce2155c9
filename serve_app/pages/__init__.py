"""Pages for people: a home page and the API's reference, without scripts or other hosts."""
