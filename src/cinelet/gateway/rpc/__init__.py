"""The gRPC door: the same desk as behind HTTP, the same words, the same limits. `videos.proto` is the contract."""

from cinelet.gateway.rpc.server import RpcServer, tls_credentials

__all__ = ["RpcServer", "tls_credentials"]
