"""Who may do what: rules of routes, principals, logins, tokens, and what researchers see."""
