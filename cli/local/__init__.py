"""Local platform of `atelier up`: its start, watch and end."""
