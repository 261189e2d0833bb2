// Package chart tests the Helm chart without a cluster: what it renders, what
// it refuses, which rights it asks for, and that its alerts, dashboard and
// documents fit the program.
//
// It is a module of its own, so that Helm stays out of what ships. Rewrite the
// golden files and the table of values with
//
//	go test ./... -update
package chart
