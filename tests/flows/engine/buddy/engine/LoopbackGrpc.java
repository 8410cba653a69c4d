package buddy.engine;

import io.grpc.InsecureServerCredentials;
import io.grpc.ServerBuilder;
import io.grpc.ServerCredentials;
import io.grpc.ServerProvider;
import io.grpc.netty.NettyServerBuilder;
import java.net.InetAddress;
import java.net.InetSocketAddress;

/** Binds what the engine's parts say to each other to loopback: Kestra lets one set the port only, and takes 0.0.0.0. */
public final class LoopbackGrpc extends ServerProvider {
    @Override
    protected boolean isAvailable() {
        return true;
    }

    /** Higher than gRPC's own. */
    @Override
    protected int priority() {
        return 10;
    }

    @Override
    protected ServerBuilder<?> builderForPort(int port) {
        return NettyServerBuilder.forAddress(onLoopback(port), InsecureServerCredentials.create());
    }

    @Override
    protected NewServerBuilderResult newServerBuilderForPort(int port, ServerCredentials credentials) {
        return NewServerBuilderResult.serverBuilder(NettyServerBuilder.forAddress(onLoopback(port), credentials));
    }

    private static InetSocketAddress onLoopback(int port) {
        return new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
    }
}
