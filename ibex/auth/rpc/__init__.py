"""gRPC for other services that check tokens."""
