// Package panels reads the queries of the chart's Grafana dashboard, and draws its
// panels with Prometheus' answers as a picture.
//
// Titles, units, positions, colors and queries are those of the dashboard. The package
// is pure: it makes no requests and opens no files, and the same input gives the same
// picture.
package panels
