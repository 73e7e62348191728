"""Writes the Grafana dashboards of ``tthc_monitor/monitoring/grafana/dashboards``: run ``make dashboards`` after a change.

The JSON is what ships and what Grafana reads; here stands each query, title and unit once, so that a rule for all panels
(the job's matcher, the maximum over replicas, a description) is kept in one place. A test compares the two.
"""
