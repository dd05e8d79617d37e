import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.cloud.netflix.eureka.server.EnableEurekaServer;
import org.springframework.context.annotation.Bean;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.web.SecurityFilterChain;

/** A single Eureka server for the tests, with a user and a password. Its properties are system properties. */
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

  /** Without this chain, Spring Security also expects the CSRF token of a form from every client. */
  @Bean
  SecurityFilterChain security(HttpSecurity http) throws Exception {
    return http.csrf(csrf -> csrf.disable())
        .authorizeHttpRequests(requests -> requests.anyRequest().authenticated())
        .httpBasic(Customizer.withDefaults())
        .build();
  }
}
