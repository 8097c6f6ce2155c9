"""What a preflight looks at, a file for each noun; nothing here changes anything."""
