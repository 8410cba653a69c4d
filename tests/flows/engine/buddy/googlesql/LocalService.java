package buddy.googlesql;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;

/**
 * Google's build of the GoogleSQL analyzer and reference implementation, as a gRPC service on loopback.
 *
 * <p>The library is made for Java: it gives its service on a channel within the process, and this passes the bytes of one
 * connection on. Prints the port, and ends when its standard input does. Argument: the library's file.
 */
public final class LocalService {
    private static native SocketChannel getSocketChannel() throws SocketException;

    public static void main(String[] arguments) throws Exception {
        // The library asks for the class that has its native method.
        System.setProperty("zetasql.local_service.class", "buddy/googlesql/LocalService");
        System.load(arguments[0]);
        SocketChannel service = getSocketChannel();
        ServerSocketChannel listening = ServerSocketChannel.open();
        listening.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        System.out.println(((InetSocketAddress) listening.getLocalAddress()).getPort());
        System.out.flush();
        Thread.ofPlatform().daemon().start(() -> serve(listening, service));
        while (System.in.read() >= 0) {
            // until whoever started it is gone
        }
        System.exit(0);
    }

    private static void serve(ServerSocketChannel listening, SocketChannel service) {
        try {
            SocketChannel client = listening.accept();
            Thread.ofPlatform().daemon().start(() -> pass(client, service));
            pass(service, client);
        } catch (IOException gone) {
            throw new java.io.UncheckedIOException(gone);
        }
    }

    private static void pass(SocketChannel from, SocketChannel to) {
        ByteBuffer bytes = ByteBuffer.allocateDirect(1 << 18);
        try {
            while (from.read(bytes) >= 0) {
                bytes.flip();
                while (bytes.hasRemaining()) {
                    to.write(bytes);
                }
                bytes.clear();
            }
            to.shutdownOutput();
        } catch (IOException gone) {
            // so is what it is for
        }
    }
}
