"""The web application as a whole: its layers, its errors, its server."""
