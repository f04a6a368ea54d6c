#include "troth/server/metrics/page.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <cmath>
#include <limits>
#include <sstream>
#include <utility>
#include <vector>

namespace troth::metrics {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily Family(std::string name, std::string help, MetricType type) {
  return {.name = std::move(name), .help = std::move(help), .type = type, .metric = {}};
}

ClientMetric CounterOf(double value) {
  ClientMetric metric;
  metric.counter.value = value;
  return metric;
}

MetricFamily Counter(std::string name, std::string help, std::uint64_t value) {
  MetricFamily family = Family(std::move(name), std::move(help), MetricType::Counter);
  family.metric.push_back(CounterOf(static_cast<double>(value)));
  return family;
}

MetricFamily Gauge(std::string name, std::string help, double value) {
  MetricFamily family = Family(std::move(name), std::move(help), MetricType::Gauge);
  ClientMetric metric;
  metric.gauge.value = value;
  family.metric.push_back(std::move(metric));
  return family;
}

MetricFamily Refused(const std::map<std::string, std::uint64_t>& refused) {
  MetricFamily family = Family("troth_refused_total", "Requests that were refused, by reason code.",
                               MetricType::Counter);
  for (const auto& [code, count] : refused) {
    ClientMetric metric = CounterOf(static_cast<double>(count));
    metric.label.push_back({.name = "reason", .value = code});
    family.metric.push_back(std::move(metric));
  }
  return family;
}

MetricFamily Latency(const LatencyHistogram& latency) {
  MetricFamily family =
      Family("troth_issue_seconds", "Time from a request to its durable certificate.",
             MetricType::Histogram);
  ClientMetric metric;
  std::uint64_t total = 0;
  for (size_t i = 0; i < latency.counts.size(); ++i) {
    total += latency.counts[i];
    metric.histogram.bucket.push_back(
        {.cumulative_count = total,
         .upper_bound = i < LatencyHistogram::kBounds.size()
                            ? LatencyHistogram::kBounds[i]
                            : std::numeric_limits<double>::infinity()});
  }
  metric.histogram.sample_count = total;
  metric.histogram.sample_sum = latency.sum_seconds;
  family.metric.push_back(std::move(metric));
  return family;
}

double UnixSeconds(const std::optional<Time>& time) {
  return time.has_value() ? static_cast<double>(time->time_since_epoch().count()) : std::nan("");
}

}  // namespace

std::string MetricsPage(const AuthorityStatistics& authority, const HttpServerStatistics& servers) {
  const StoreStatistics& store = authority.store;
  const std::vector<MetricFamily> families = {
      Counter("troth_issued_total", "First certificates issued.", authority.issued),
      Counter("troth_renewed_total", "Certificates renewed.", authority.renewed),
      Counter("troth_revoked_total", "Certificates revoked.", authority.revoked),
      Refused(authority.refused),
      Gauge("troth_requests_pending", "Requests that wait for a decision.",
            static_cast<double>(authority.pending)),
      Gauge("troth_issuer_expiry_seconds", "When the issuer's certificate expires, Unix time.",
            UnixSeconds(authority.issuer_expires)),
      Gauge("troth_root_expiry_seconds", "When the root certificate expires, Unix time.",
            UnixSeconds(authority.root_expires)),
      Latency(authority.latency),
      Gauge("troth_store_certificates", "Certificates in the store.",
            static_cast<double>(store.certificates)),
      Gauge("troth_store_certificates_expiring_day",
            "Certificates that expire within a day and are not revoked.",
            static_cast<double>(store.expiring_day)),
      Gauge("troth_store_certificates_expiring_week",
            "Certificates that expire within a week and are not revoked.",
            static_cast<double>(store.expiring_week)),
      Gauge("troth_store_revocations", "Revocations in the store.",
            static_cast<double>(store.revocations)),
      Gauge("troth_store_unindexed",
            "Certificates that the indexes by name and time do not hold yet.",
            static_cast<double>(store.unindexed)),
      Gauge("troth_store_bytes", "Size of the store on disk.", static_cast<double>(store.bytes)),
      Counter("troth_store_groups_total", "Transactions committed.", store.groups),
      Counter("troth_store_writes_total", "Pieces of work in them.", store.writes),
      Counter("troth_http_connections_total", "Connections accepted.", servers.accepted),
      Gauge("troth_http_connections_open", "Connections open now.",
            static_cast<double>(servers.open)),
      Counter("troth_http_connections_refused_total",
              "Connections closed at once because there were too many.",
              servers.refused_connections),
      Counter("troth_http_handshakes_failed_total", "TLS handshakes that failed.",
              servers.handshakes_failed),
      Counter("troth_http_requests_total", "HTTP requests answered.", servers.requests),
      Counter("troth_http_timeouts_total", "Connections closed because the peer was too slow.",
              servers.timed_out),
  };
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families);
  return out.str();
}

}  // namespace troth::metrics
