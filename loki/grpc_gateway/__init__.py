"""Turns gRPC calls into messages and answers into gRPC; the only place that imports grpc."""
