"""`atelier aws`: the platform on AWS, from nothing to a picture and back."""
