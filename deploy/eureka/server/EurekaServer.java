import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.cloud.netflix.eureka.server.EnableEurekaServer;

/** A single Eureka server for the tests. Its properties are system properties. */
@EnableAutoConfiguration
@EnableEurekaServer
public class EurekaServer {
  public static void main(String[] args) {
    SpringApplication application = new SpringApplication(EurekaServer.class);
    application.setDefaultProperties(
        Map.of(
            "server.address", "127.0.0.1",
            "eureka.client.register-with-eureka", "false",
            "eureka.client.fetch-registry", "false",
            "spring.main.banner-mode", "off"));
    application.run(args);
    System.out.println("ready");
  }
}
