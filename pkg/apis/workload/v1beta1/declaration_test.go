package v1beta1

import (
	"testing"

	"sigs.k8s.io/yaml"
)

func TestDeclarationsInEverySpelling(t *testing.T) {
	type reading struct {
		status        ConditionStatus
		ok, withdraws bool
	}
	yes, no := reading{"True", true, false}, reading{"False", true, true}
	unknown, withdrawn, nothing := reading{"Unknown", true, true}, reading{"False", false, true}, reading{}
	for value, want := range map[string]reading{
		"True": yes, "true": yes, "TRUE": yes, "tRuE": yes, "yes": yes, "Yes": yes, "YES": yes, "on": yes, "On": yes, "y": yes, "Y": yes,
		"False": no, "false": no, "FALSE": no, "no": no, "No": no, "NO": no, "off": no, "Off": no, "OFF": no, "n": no, "N": no,
		`"false"`: no, "'true'": yes, ` "yes" `: yes, " false\n": no,
		"Unknown": unknown, "unknown": unknown, "UNKNOWN": unknown,
		"0": withdrawn, "not ready": withdrawn, "NotReady": withdrawn, "disabled": withdrawn, "down": withdrawn, "null": withdrawn,
		"": nothing, "1": nothing, "ready": nothing, "maybe": nothing, "truefalse": nothing, "nope": nothing, "tru": nothing, "True True": nothing,
	} {
		status, ok, withdraws := ParseDeclaration(value)
		if got := (reading{status, ok, withdraws}); got != want {
			t.Errorf("%q is read as %+v, want %+v", value, got, want)
		}
	}
}

// TestDeclarationsThatYAMLTakesForABoolean: a value without quotes, which a template may
// have removed, has the meaning of the YAML boolean.
func TestDeclarationsThatYAMLTakesForABoolean(t *testing.T) {
	for _, value := range []string{
		"y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No", "NO", "true", "True", "TRUE", "false", "False", "FALSE", "on", "On", "ON", "off", "Off", "OFF",
	} {
		var read any
		if err := yaml.Unmarshal([]byte(value), &read); err != nil {
			t.Fatal(err)
		}
		status, ok, _ := ParseDeclaration(value)
		if boolean, is := read.(bool); is && (!ok || (status == ConditionTrue) != boolean) {
			t.Errorf("%s is read as %q, YAML takes it for %t", value, status, boolean)
		}
	}
}
