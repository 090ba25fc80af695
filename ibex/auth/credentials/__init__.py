"""Provider keys of organizations: sealed where they are stored, open only in the memory of who serves."""
