package invitation

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// token makes an unsigned token with claims.
func token(claims string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

func TestParseToken(t *testing.T) {
	got, err := ParseToken(token(`{"sub":"system:serviceaccount:shop:external-workload-machine-vm-1","iat":1000,"exp":5000,"aud":["a"]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got.Namespace != "shop" || got.Workload != "vm-1" || got.Lifetime() != 4000*time.Second || !got.RenewAt().Equal(time.Unix(3000, 0)) {
		t.Errorf("the token is read as %+v", got)
	}
	for sentence, text := range map[string]string{
		"no token":                     "",
		"an opaque token":              "secret",
		"invalid base64":               "a.b!.c",
		"invalid JSON":                 token("{"),
		"the token of another account": token(`{"sub":"system:serviceaccount:shop:default"}`),
		"the token of a person":        token(`{"sub":"alice"}`),
		"a name with a colon":          token(`{"sub":"system:serviceaccount:shop:external-workload-machine-a:b"}`),
	} {
		if _, err := ParseToken(text); !errors.Is(err, ErrNoMachine) {
			t.Errorf("%s: error %v", sentence, err)
		}
	}
}

func TestCloudInitKeepsTheKubeconfigPrivate(t *testing.T) {
	files := MachineFiles{Namespace: "shop", Workload: "vm-1", Kubeconfig: []byte("apiVersion: v1\nkind: Config\n")}
	text, err := files.CloudInit()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(text), "#cloud-config\n") {
		t.Errorf("cloud-init would not recognize it: %s", text)
	}
	var data struct {
		Files []cloudFile `json:"write_files"`
	}
	if err := yaml.Unmarshal(text, &data); err != nil || len(data.Files) != 2 {
		t.Fatalf("%v: %s", err, text)
	}
	kubeconfig, unit := data.Files[0], data.Files[1]
	if kubeconfig.Permissions != "0600" || kubeconfig.Content != string(files.Kubeconfig) {
		t.Errorf("the kubeconfig is written as %+v", kubeconfig)
	}
	for _, line := range []string{
		"ExecStart=/usr/local/bin/external-workload register --watch --kubeconfig /etc/external-workload/kubeconfig\n",
		"ExecStop=/usr/local/bin/external-workload drain --kubeconfig /etc/external-workload/kubeconfig\n",
	} {
		if !strings.Contains(unit.Content, line) {
			t.Errorf("the unit does not contain %q:\n%s", line, unit.Content)
		}
	}
}
