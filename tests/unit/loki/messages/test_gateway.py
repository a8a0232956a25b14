"""What a gateway reports."""

from loki.messages.gateway import GatewayReport


def test_a_report_survives_its_text() -> None:
    report = GatewayReport(grpc="127.0.0.1:7", http="http://127.0.0.1:8")
    assert GatewayReport.of(report.detail) == report
    assert GatewayReport.of("") == GatewayReport()
