// Package panels reads the queries of the chart's Grafana dashboard, and draws
// its panels as a picture of what Prometheus answered to them.
//
// Titles, units, places, colors and queries are those of the dashboard; the
// package must not decide what is shown. It is pure: it asks nobody, opens no
// file, and the same input gives the same bytes.
package panels
