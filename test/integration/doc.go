// Package integration tests the controller, its subcommands and the kubectl plugin with a
// real API server. Package faults has the tests that inject faults.
package integration
