"""Keys of providers that organizations bring, sealed."""
