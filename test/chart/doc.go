// Package chart tests the Helm chart: what it renders and refuses, which permissions it
// grants, and whether its alerts, dashboard and documents match the program. Some tests
// install it on a real API server without nodes.
//
// It is a separate module, so that Helm is no dependency of the program. This command
// rewrites the golden files and the table of values:
//
//	go test ./... -update
package chart
