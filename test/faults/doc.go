// Package faults injects faults around a controller: in its connection to the API
// server, its process and its clock.
//
// A Proxy is between one controller process and the API server. Rules make it delay,
// refuse, cut, stall, repeat or rewrite traffic; it passes other traffic unchanged. It
// records every write with its result, so that a test can check who wrote what and
// whether that was necessary. A Process is a real child process that can be killed,
// frozen and thawed.
//
// Each test of this package checks a promise of the controller: it is named after its
// fault, and applies the fault to a real controller with a real API server.
//
// Everything listens on loopback. The package does not know what the controller should
// publish; package oracle does.
package faults
