"""The gRPC interface: `auth.proto`, and the modules that are generated from it with `make protos`."""
