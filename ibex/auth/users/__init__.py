"""Users: people of an organization, with a role each."""
