// Package acme has the account of the stub of lego.
package acme

// Account is that of an ACME server.
type Account struct{}

// ExtendedAccount adds the account's URL.
type ExtendedAccount struct {
	Account

	Location string
}
