import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.transport.Netty4Plugin;

/** One OpenSearch node for the tests. Arguments: the directory of its data, and the port of its HTTP interface. */
public final class SearchNode extends Node {
  private SearchNode(Environment environment) {
    super(environment, List.of(Netty4Plugin.class), true);
  }

  public static void main(String[] args) throws Exception {
    Settings settings =
        Settings.builder()
            .put("path.home", args[0])
            .put("network.host", "127.0.0.1")
            .put("http.port", args[1])
            .put("transport.port", "0")
            .put("discovery.type", "single-node")
            .put("transport.type", "netty4")
            .put("http.type", "netty4")
            // A developer's disk may be nearly full.
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .build();
    new SearchNode(InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), Path.of(args[0]), () -> "test"))
        .start();
    System.out.println("ready");
    new CountDownLatch(1).await();
  }
}
